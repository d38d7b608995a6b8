"""The colours of the page and of its figures, which are drawn in the light ones and take the dark ones in the page."""

LIGHT = {
    "ink": "#1f2328",
    "muted": "#59636e",
    "rule": "#d1d9e0",
    "paper": "#ffffff",
    "tint": "#f2f5f8",
    "mark": "#ddeafc",
    "accent": "#0b5fd0",
    "warn": "#8a5a00",
    "warn-tint": "#fff6dd",
    "good": "#1a7033",
    "bad": "#b8202b",
    "c0": "#1f6feb",
    "c1": "#bc4c00",
    "c2": "#1a7f37",
    "c3": "#8250df",
    "c4": "#0b7a86",
    "c5": "#bf3989",
    "c6": "#9a6700",
    "c7": "#cf222e",
    "c8": "#57606b",
    "c9": "#7d4e2d",
}
DARK = {
    "ink": "#e6edf3",
    "muted": "#9ba6b2",
    "rule": "#343b44",
    "paper": "#0f1318",
    "tint": "#181e25",
    "mark": "#15325c",
    "accent": "#6cb0ff",
    "warn": "#f0c05a",
    "warn-tint": "#2c2411",
    "good": "#56d364",
    "bad": "#ff8a84",
    "c0": "#58a6ff",
    "c1": "#f0883e",
    "c2": "#3fb950",
    "c3": "#bc8cff",
    "c4": "#39c5cf",
    "c5": "#f778ba",
    "c6": "#d7a83a",
    "c7": "#ff7b72",
    "c8": "#a3adb8",
    "c9": "#cfa27e",
}
COLOURS = 10  # c0 to c9, of classes and of encoders


def colour(index: int) -> str:
    return LIGHT[f"c{index % COLOURS}"]


def style() -> str:
    def scheme(colours: dict[str, str]) -> str:
        return ":root{" + "".join(f"--{name}:{value};" for name, value in colours.items()) + "}"

    return f"{scheme(LIGHT)}@media (prefers-color-scheme:dark){{{scheme(DARK)}}}"

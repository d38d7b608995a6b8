"""A real browser without a window, told what to do over two pipes (the DevTools protocol) and kept off the network."""

import itertools
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60  # seconds for one answer, where a machine has much else to do


def executable() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"THE PAGE IS NOT LOOKED AT: no browser in PATH ({', '.join(NAMES)}): apt install chromium")
    return found


class Browser:
    """With one page. `wrong` is what its console complained of, `asked` what it asked for beyond itself."""

    def __init__(self, folder: Path) -> None:
        told, self.to = os.pipe()
        self.at, says = os.pipe()
        pipes = [(os.POSIX_SPAWN_DUP2, told, 3), (os.POSIX_SPAWN_DUP2, says, 4)]
        quiet = [(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        options = ["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += ["--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}"]
        program = executable()
        self.pid = os.posix_spawn(
            program, [program, *options, "about:blank"], os.environ, file_actions=quiet + pipes, setpgroup=0
        )
        os.close(told)
        os.close(says)
        self.numbers, self.rest, self.session = itertools.count(1), b"", None
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.loaded = 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.heard()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def heard(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self.rest:
            if not select.select([self.at], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE} s")
            more = os.read(self.at, 1 << 20)
            if not more:
                raise RuntimeError("the browser ended")
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        event = json.loads(message)
        self.note(event.get("method"), event.get("params", {}))
        return event

    def note(self, method: str | None, about: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.wrong.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.wrong.append(str(about["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.wrong.append(str(about["args"]))
        elif method == "Network.requestWillBeSent" and not about["request"]["url"].startswith(("data:", "file:")):
            self.asked.append(about["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded += 1

    def open(self, page: Path, width: int, scheme: str = "light", scripts: bool = True) -> None:
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        before = self.loaded
        self.call("Page.navigate", url=page.as_uri())
        while self.loaded == before:
            self.heard()

    def run(self, script: str) -> Any:
        """What an expression is in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def close(self) -> None:
        self.session = None
        try:
            self.call("Browser.close")
            while True:
                self.heard()
        except (RuntimeError, BrokenPipeError):  # it ended
            pass
        finally:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.to)
            os.close(self.at)

"""The smallest recipes that learn: RECIPE the sounds of tests/training/conftest.py, SMALL two classes of pitches."""

CLIPS, EPOCHS, STEPS = 20, 5, 12  # two steps a pass, so that an epoch ends in the middle of nothing in particular
RECIPE = f"""
base: cola-dot
frontend: {{mels: 32}}
encoder: {{name: small, filters: 8, dimension: 32}}
views:
  crop_seconds: 0.25
  noise: 0.001
  waveform: [{{name: gain, db: [-1, 1]}}, {{name: time_mask, share: [0, 0.02]}}]
  spectrogram: [{{name: spec_augment, frames: 3, bands: 2, probability: 0.3, views: positive}}]
objective: {{dimension: 32}}
optimizer: {{learning_rate: 3.0e-3}}
data: {{clip_seconds: 0.5}}
train: {{batch_size: 8, epochs: {EPOCHS}, steps_per_epoch: {STEPS}}}
"""
SMALL = """
base: cola
frontend: {mels: 16}
encoder: {name: small, filters: 4, dimension: 16, dropout: 0.0}
views: {crop_seconds: 0.25, noise: 0.0}
data: {clip_seconds: 0.5}
finetune:
  optimizer: {learning_rate: 0.03}
  train: {batch_size: 8, epochs: 2, steps_per_epoch: 15}
"""

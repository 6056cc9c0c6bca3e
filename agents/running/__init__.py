"""What every program that keeps running has: signals, logs, health, state, enforcement."""

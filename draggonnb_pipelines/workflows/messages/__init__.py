"""What people are told: notices, the outbox behind them, alerts, and what readers answer."""

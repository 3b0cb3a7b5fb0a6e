//! What only the SQLite file must keep: its lock, its settings, its durability, its privacy.

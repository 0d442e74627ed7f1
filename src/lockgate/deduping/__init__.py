"""Rows that are alike: one of them stays, the others are kept in quarantine."""

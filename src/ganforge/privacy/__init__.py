"""What protects the people in the data, and runs from other people's eyes and hands.

Differential privacy: options, accounting, ledger, release. Locked files and signatures need the extra ganforge[lock].
"""

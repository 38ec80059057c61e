"""What keeps a run from other people's eyes and hands: locked files, and signatures. Needs the extra ganforge[lock]."""

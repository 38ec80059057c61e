"""Small mechanics that every layer may use: seeds, device, files, grids."""

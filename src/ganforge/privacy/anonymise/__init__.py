"""Personal data in tables, texts and pictures: found, and replaced by pseudonyms or removed."""

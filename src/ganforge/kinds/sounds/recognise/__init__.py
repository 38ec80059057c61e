"""The verb `recognise`: a sound's label, learned from a few labelled sounds and many without."""

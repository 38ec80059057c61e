"""The verb `augment`: a labelled data set enlarged."""

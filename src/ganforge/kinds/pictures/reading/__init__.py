"""Pictures from files and arrays: `survey.survey` says what is there, `open.open_pictures` opens it for training."""

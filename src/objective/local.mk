# Files of src/objective/.

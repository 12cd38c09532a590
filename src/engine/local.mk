# Files of src/engine/.

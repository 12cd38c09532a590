# Files of src/cmd/.

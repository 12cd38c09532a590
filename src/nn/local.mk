# Files of src/nn/.

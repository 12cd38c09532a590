# Files of src/backend/.

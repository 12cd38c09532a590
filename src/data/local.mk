# Files of src/data/.

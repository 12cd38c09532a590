# Files of src/arch/.

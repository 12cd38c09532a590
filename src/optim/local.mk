# Files of src/optim/.

# Files of src/optim/.
libsupcon_a_SOURCES += src/optim/optim.c src/optim/sgd.c src/optim/rmsprop.c src/optim/schedule.c
libsupcon_a_SOURCES += src/optim/optim_conf.c

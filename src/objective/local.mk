# Files of src/objective/.
libsupcon_a_SOURCES += src/objective/objective.c src/objective/contrastive.c src/objective/supcon.c \
	src/objective/simclr.c src/objective/cross_entropy.c src/objective/problem.c
libsupcon_a_SOURCES += src/objective/objective_conf.c

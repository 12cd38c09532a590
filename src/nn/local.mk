# Files of src/nn/.
libsupcon_a_SOURCES += \
	src/nn/tensor.c \
	src/nn/op.c \
	src/nn/graph.c \
	src/nn/graph_ops.c \
	src/nn/graph_print.c \
	src/nn/fuse.c \
	src/nn/schedule.c \
	src/nn/memplan.c \
	src/nn/plan.c \
	src/nn/plan_compile.c \
	src/nn/plan_print.c \
	src/nn/params.c \
	src/nn/params_init.c \
	src/nn/step.c

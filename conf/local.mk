# Files of conf/: the recipes, installed for `supcon` to list.
recipesdir = $(pkgdatadir)/conf
dist_recipes_DATA = \
	conf/cifar10-crossentropy-resnet18.cfg \
	conf/cifar10-simclr-resnet18.cfg \
	conf/cifar10-supcon-resnet18.cfg \
	conf/folder-supcon-resnet18.cfg \
	conf/quickstart.cfg

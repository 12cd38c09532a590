typedef int libtui_empty;

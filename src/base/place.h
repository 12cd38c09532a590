/*
 * Where the program's own files are. An installed folder may be moved as a whole: what lies beside
 * the executable (PREFIX/bin/supcon with PREFIX/share/supcon and PREFIX/lib/supcon) is preferred to
 * the folders that configure was told.
 */
#ifndef SUPCON_BASE_PLACE_H
#define SUPCON_BASE_PLACE_H

#include "base/file.h"

/* The folder the running executable is in; EXIT_OS if the system does not tell. */
int place_executable(char out[PATH_BYTES], struct err *);
/* NAME in the folder of data files (recipes are in "conf"). Whether it exists is not asked. */
int place_data(char out[PATH_BYTES], const char *name, struct err *);
/* NAME in the folder of loadable modules. Whether it exists is not asked. */
int place_module(char out[PATH_BYTES], const char *name, struct err *);
/* If descriptions of terminals lie beside the executable, they are looked up after the system's.
 * To be called before the terminal library is used, while there is one thread. */
void place_terminfo(void);

#endif

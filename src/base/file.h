/*
 * Files done properly: whole reads with a cap, writes that survive a crash, folders, XDG places.
 * Every message names the path.
 */
#ifndef SUPCON_BASE_FILE_H
#define SUPCON_BASE_FILE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATH_BYTES = 1024 };

int path_join(char out[PATH_BYTES], const char *dir, const char *name, struct err *);
bool path_exists(const char *path);
/* Whole file, NUL-terminated (not counted in *n); EXIT_DATA if larger than cap. The caller frees.
 */
int file_read(const char *path, size_t cap, char **out, size_t *n, struct err *);
/* write(2) until done. */
int file_write_fd(int fd, const void *data, size_t n, const char *path, struct err *);
/* Temporary name, write, fsync, rename, fsync of the folder. */
int file_replace(const char *path, const void *data, size_t n, struct err *);
int dir_make(const char *path, struct err *); /* with parents; an existing folder is fine */
int dir_sync(const char *path, struct err *);
int dir_remove(const char *path, struct err *); /* with its contents; a missing one is fine */
int64_t dir_free_bytes(const char *path);       /* -1 if unknown */
/* $XDG_DATA_HOME/supcon/NAME etc.; relative XDG values are ignored; name may be NULL. */
int xdg_data(char out[PATH_BYTES], const char *name, struct err *);
int xdg_cache(char out[PATH_BYTES], const char *name, struct err *);
int xdg_config(char out[PATH_BYTES], const char *name, struct err *);

int64_t clock_usec(void); /* monotonic */

#endif

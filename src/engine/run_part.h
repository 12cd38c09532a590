/* What the files of run.h share among themselves. */
#ifndef SUPCON_ENGINE_RUN_PART_H
#define SUPCON_ENGINE_RUN_PART_H

#include "engine/run.h"

#define RUN_CONFIG "config.cfg"
#define RUN_IDENTITY "run.json"
#define RUN_LOG "run.log"
#define RUN_LOCK ".lock"
#define RUN_CHECKPOINTS "checkpoints"

/* Takes the lock for as long as *fd is open. EXIT_CANTCREATE names the process that has it. */
int run_lock(const char *dir, int *fd, struct err *);

/* Settings as a recipe, and a recipe file over the defaults. The caller frees the text. */
char *run_config_text(const struct settings *, size_t *n, struct err *);
int run_config_read(const char *path, struct settings *, struct err *);

enum run_found { RUN_NONE, RUN_EMPTY, RUN_UNFINISHED, RUN_THERE, RUN_FOREIGN, RUN_NO_FOLDER };

/* What lies at `dir`: nothing, an empty folder, what a run that ended before it began left behind,
 * a run, other files, or something that is no folder. */
enum run_found run_look(const char *dir);

/* From here on log lines are also kept in DIR/run.log. */
int run_log_open(struct run *, struct err *);
void run_log_close(struct run *);

#endif

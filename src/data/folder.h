/*
 * A folder of images, DIR/train/CLASS/... and DIR/test/CLASS/...: the list of its files
 * (folder_scan.c), what a cache remembers of them (folder_index.c), and the data set (folder.c).
 * The names of classes, sorted by their bytes, are the folders in train; files may lie deeper.
 */
#ifndef SUPCON_DATA_FOLDER_H
#define SUPCON_DATA_FOLDER_H

#include <stdbool.h>

#include "base/file.h"
#include "data/dataset.h"

enum entry_state {
    ENTRY_NEW,     /* nothing is known but what the file system says */
    ENTRY_PROBED,  /* header read: width, height, hash */
    ENTRY_DECODED, /* and decoded without a fault at least once */
    ENTRY_BAD,     /* cannot be decoded */
    ENTRY_N
};

struct folder_entry {
    char *path; /* owned; below the root: "train/cat/1.jpg" */
    int64_t size, mtime_ns;
    uint64_t hash;
    int32_t width, height, label;
    enum data_part part;
    enum entry_state state;
};

struct folder_list {
    char root[PATH_BYTES];
    char **class_names; /* [n_classes] owned */
    int n_classes;
    struct folder_entry *entries; /* training part first, then by class, then by path */
    int64_t n, room;
    int64_t n_other; /* files that are no images by their names */
    bool has_test;
};

/* EXIT_NOINPUT: no such folder, or no train in it; EXIT_DATA: a class without images, or one in
 * test that is not in train. */
int folder_scan(struct folder_list *, const char *root, struct err *);
void folder_list_free(struct folder_list *);
/* Takes out the entries for which `drop` is true. */
void folder_remove(struct folder_list *, bool (*drop)(const struct folder_entry *));

/* Recalls what was known of entries whose size and time of change are the same still; returns how
 * many. What is not a whole index of this folder is passed over. */
int64_t folder_index_recall(struct folder_list *);
/* Remembers the list in $XDG_CACHE_HOME/supcon/folders. Failing costs time at the next start, no
 * more, so it is logged only. */
void folder_index_store(const struct folder_list *);

#endif

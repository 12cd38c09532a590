/* Folders and well-known places; the part of file.h that is not about bytes. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_DEPTH = 64 };

int path_join(char out[PATH_BYTES], const char *dir, const char *name, struct err *e)
{
    size_t n = strlen(dir);
    const char *slash = n == 0 || dir[n - 1] == '/' ? "" : "/";
    int r = snprintf(out, PATH_BYTES, "%s%s%s", dir, slash, name);
    if (r < 0 || r >= PATH_BYTES)
        return err_set(e, EXIT_CANTCREATE, "path too long: %s%s%s", dir, slash, name);
    return 0;
}

static bool is_folder_at(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_one(const char *path, struct err *e)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    int errnum = errno;
    if (errnum == EEXIST && is_folder_at(path))
        return 0;
    if (errnum == EEXIST)
        return err_set(e, EXIT_CANTCREATE, "cannot create the folder %s: %s is not a folder", path,
                       path);
    return err_create(e, errnum, "cannot create the folder %s", path);
}

int dir_make(const char *path, struct err *e)
{
    char part[PATH_BYTES];
    if (strlen(path) >= sizeof part)
        return err_set(e, EXIT_CANTCREATE, "path too long: %s", path);
    for (const char *p = path; *p; p++)
        if (*p == '/' && p > path) {
            snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
            if (!path_exists(part) && make_one(part, e) < 0)
                return -1;
            if (!is_folder_at(part))
                return err_set(e, EXIT_CANTCREATE,
                               "cannot create the folder %s: %s is not a folder", path, part);
        }
    return make_one(path, e);
}

int dir_sync(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, 0, errno, "cannot open the folder %s", path);
    int r = 0;
    if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
        r = err_errno(e, EXIT_IO, errno, "cannot sync the folder %s", path);
    close(fd);
    return r;
}

static bool is_folder(int at, const char *name)
{
    struct stat st;
    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Removes `name` within the folder `at`, contents first; links are removed, not followed. */
static int remove_at(int at, const char *name, int depth)
{
    if (!is_folder(at, name))
        return unlinkat(at, name, 0);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 || depth > MAX_DEPTH ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        errno = depth > MAX_DEPTH ? ELOOP : errno;
        return -1;
    }
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(d));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = remove_at(dirfd(d), entry->d_name, depth + 1);
    int errnum = errno;
    closedir(d);
    errno = errnum;
    return r < 0 ? -1 : unlinkat(at, name, AT_REMOVEDIR);
}

int dir_remove(const char *path, struct err *e)
{
    if (remove_at(AT_FDCWD, path, 0) == 0 || errno == ENOENT)
        return 0;
    return err_errno(e, 0, errno, "cannot remove %s", path);
}

int64_t dir_free_bytes(const char *path)
{
    struct statvfs v;
    if (statvfs(path, &v) < 0)
        return -1;
    return (int64_t)(v.f_bavail * v.f_frsize);
}

static int xdg(char out[PATH_BYTES], const char *variable, const char *fallback, const char *name,
               struct err *e)
{
    char dir[PATH_BYTES];
    const char *value = getenv(variable), *home = getenv("HOME");
    if (value && value[0] == '/') {
        if (path_join(dir, value, "supcon", e) < 0)
            return -1;
    } else {
        char base[PATH_BYTES];
        if (!home || home[0] != '/')
            return err_set(e, EXIT_CONFIG, "neither %s nor HOME names a folder; set one of them",
                           variable);
        if (path_join(base, home, fallback, e) < 0 || path_join(dir, base, "supcon", e) < 0)
            return -1;
    }
    if (name)
        return path_join(out, dir, name, e);
    memcpy(out, dir, PATH_BYTES);
    return 0;
}

int xdg_data(char out[PATH_BYTES], const char *name, struct err *e)
{
    return xdg(out, "XDG_DATA_HOME", ".local/share", name, e);
}

int xdg_cache(char out[PATH_BYTES], const char *name, struct err *e)
{
    return xdg(out, "XDG_CACHE_HOME", ".cache", name, e);
}

int xdg_config(char out[PATH_BYTES], const char *name, struct err *e)
{
    return xdg(out, "XDG_CONFIG_HOME", ".config", name, e);
}

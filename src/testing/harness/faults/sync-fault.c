/*
 * A library for LD_PRELOAD: one sync of a file fails with EIO, and the bytes since the last good sync are lost, as Linux
 * may drop pages that it could not write. Later syncs succeed, as those of Linux do.
 *
 *     SYNC_FAULT_PATH   only files whose path contains this text
 *     SYNC_FAULT_CALL   the sync of these files that fails, counted from 1
 *     SYNC_FAULT_ARMED  if set, calls count only while the file with this name exists
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 4096

static struct { dev_t device; ino_t inode; off_t synced; } files[MAX_FILES];
static int file_count;
static long calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_chosen(int descriptor) {
  const char *text = getenv("SYNC_FAULT_PATH");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (text == NULL || length < 0) return 0;
  path[length] = 0;
  return strstr(path, text) != NULL;
}

static int is_armed(void) {
  const char *flag = getenv("SYNC_FAULT_ARMED");
  return flag == NULL || access(flag, F_OK) == 0;
}

static off_t *synced_bytes(const struct stat *status) {
  for (int i = 0; i < file_count; i++)
    if (files[i].device == status->st_dev && files[i].inode == status->st_ino) return &files[i].synced;
  if (file_count == MAX_FILES) abort();
  files[file_count].device = status->st_dev;
  files[file_count].inode = status->st_ino;
  return &files[file_count++].synced;
}

static void lose(int descriptor, off_t from, off_t to) {
  char zeros[65536] = {0};
  while (from < to) {
    size_t length = to - from < (off_t)sizeof zeros ? (size_t)(to - from) : sizeof zeros;
    ssize_t written = pwrite(descriptor, zeros, length, from);
    if (written <= 0) return;
    from += written;
  }
}

static int sync_or_fail(int descriptor, int (*sync)(int)) {
  struct stat status;
  if (!is_chosen(descriptor) || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return sync(descriptor);
  pthread_mutex_lock(&lock);
  off_t *synced = synced_bytes(&status);
  off_t from = *synced < status.st_size ? *synced : status.st_size;
  int fails = is_armed() && ++calls == atol(getenv("SYNC_FAULT_CALL"));
  if (fails) lose(descriptor, from, status.st_size);
  else *synced = status.st_size;
  pthread_mutex_unlock(&lock);
  int result = sync(descriptor);
  if (!fails) return result;
  errno = EIO;
  return -1;
}

int fdatasync(int descriptor) {
  return sync_or_fail(descriptor, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync"));
}

int fsync(int descriptor) {
  return sync_or_fail(descriptor, (int (*)(int))dlsym(RTLD_NEXT, "fsync"));
}

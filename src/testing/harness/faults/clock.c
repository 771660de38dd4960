/*
 * A library for LD_PRELOAD: the wall clock is ahead by CLOCK_AHEAD_SECONDS, which may be negative. The monotonic clock
 * is right, as after somebody has set the clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

/* Seconds of the wall clock; a monotonic clock, which counts from the start of the machine, is far from it. */
static const time_t min_wall_seconds = 1000000000;

static long ahead(void) {
  const char *seconds = getenv("CLOCK_AHEAD_SECONDS");
  return seconds == NULL ? 0 : atol(seconds);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += ahead();
  return result;
}

int gettimeofday(struct timeval *time, void *zone) {
  int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int result = real(time, zone);
  if (result == 0 && time != NULL) time->tv_sec += ahead();
  return result;
}

/* Bun waits until a time of the wall clock, which the kernel compares with the right one. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) =
      (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  struct timespec right = *until;
  if (right.tv_sec > min_wall_seconds) right.tv_sec -= ahead();
  return real(condition, mutex, &right);
}

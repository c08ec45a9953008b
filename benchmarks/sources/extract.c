/*
 * The floor of a first start: the frames of an archive, decoded and written by plain C.
 *
 * usage: extract TABLE ARCHIVE LIBZSTD OUTPUT PROCESSES
 *
 * TABLE has one row a line (see benchmarks/c_floor.py):
 *   z OFFSET SIZE CONTENT                       a frame, at an offset in the archive
 *   d PATH                                      a directory
 *   f MODE SECONDS FRAME OFFSET SIZE PATH       a file; a larger one goes on in the following frames
 * Nothing is relocated or verified, and no link is made: less work than an archive does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct frame { long offset, size, content; int first, count; };
struct file { unsigned mode; long seconds, offset, size; int frame; char *path; };
struct task { int file; long done; };

static struct frame *frames;
static struct file *files;
static struct task *tasks;
static int frame_count, file_count, task_count;
static size_t (*decompress)(void *, size_t, const void *, size_t);

static void fail(const char *what) { perror(what); exit(1); }

static void *grow(void *old, int count, size_t size) {
  if (count & (count - 1)) return old;
  void *grown = realloc(old, (count ? 2 * (size_t)count : 1) * size);
  if (!grown) fail("realloc");
  return grown;
}

static void read_table(const char *name) {
  FILE *table = fopen(name, "r");
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  if (!table) fail(name);
  while ((length = getline(&line, &room, table)) > 0) {
    line[length - 1] = 0;
    int at = 0;
    if (line[0] == 'z') {
      frames = grow(frames, frame_count, sizeof *frames);
      struct frame *z = &frames[frame_count++];
      sscanf(line, "z %ld %ld %ld", &z->offset, &z->size, &z->content);
      z->first = z->count = 0;
    } else if (line[0] == 'd') {
      if (mkdir(line + 2, 0755)) fail(line + 2);
    } else {
      files = grow(files, file_count, sizeof *files);
      struct file *f = &files[file_count++];
      sscanf(line, "f %o %ld %d %ld %ld %n", &f->mode, &f->seconds, &f->frame, &f->offset, &f->size, &at);
      f->path = strdup(line + at);
    }
  }
  fclose(table);
}

static int crosses(const struct file *f) { return f->offset + f->size > frames[f->frame].content; }

static void finish(int to, const struct file *f) {
  struct timespec times[2] = {{f->seconds, 0}, {f->seconds, 0}};
  if (to < 0 || futimens(to, times) || close(to)) fail(f->path);
}

/* Files come in the order of their frames, so the tasks of a frame are neighbours. */
static void plan(void) {
  for (int n = 0; n < file_count; n++) {
    int frame = files[n].frame;
    if (!files[n].size || crosses(&files[n])) finish(open(files[n].path, O_WRONLY | O_CREAT, files[n].mode), &files[n]);
    for (long done = 0; done < files[n].size; done += frames[frame++].content) {
      tasks = grow(tasks, task_count, sizeof *tasks);
      if (!frames[frame].count++) frames[frame].first = task_count;
      tasks[task_count++] = (struct task){n, done};
    }
  }
}

static void write_all(int to, const char *data, long size, long at) {
  while (size > 0) {
    ssize_t written = pwrite(to, data, size, at);
    if (written < 0) fail("pwrite");
    data += written, at += written, size -= written;
  }
}

static void write_frame(const struct frame *z, const char *content) {
  for (int n = z->first; n < z->first + z->count; n++) {
    struct file *f = &files[tasks[n].file];
    int whole = !crosses(f);
    int to = open(f->path, whole ? O_WRONLY | O_CREAT | O_EXCL : O_WRONLY, f->mode);
    if (to < 0) fail(f->path);
    write_all(to, content + (whole ? f->offset : 0), whole ? f->size : z->content, tasks[n].done);
    finish(to, f);
  }
}

static int work(const char *archive, int *next) {
  int from = open(archive, O_RDONLY);
  long most_in = 0, most_out = 0;
  int number;
  for (int n = 0; n < frame_count; n++) {
    if (frames[n].size > most_in) most_in = frames[n].size;
    if (frames[n].content > most_out) most_out = frames[n].content;
  }
  char *in = malloc(most_in), *out = malloc(most_out);
  if (from < 0) fail(archive);
  while ((number = __sync_fetch_and_add(next, 1)) < frame_count) {
    struct frame *z = &frames[number];
    if (pread(from, in, z->size, z->offset) != z->size) fail("pread");
    if (decompress(out, z->content, in, z->size) != (size_t)z->content) fail("decompress");
    write_frame(z, out);
  }
  return 0;
}

int main(int count, char **words) {
  if (count != 6) return 2;
  void *library = dlopen(words[3], RTLD_NOW);
  if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  decompress = (size_t(*)(void *, size_t, const void *, size_t))dlsym(library, "ZSTD_decompress");
  if (mkdir(words[4], 0755) || chdir(words[4])) fail(words[4]);
  umask(0);
  read_table(words[1]);
  plan();
  int *next = mmap(NULL, sizeof *next, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int processes = atoi(words[5]), status, failed = 0;
  for (int n = 0; n < processes; n++)
    if (fork() == 0) _exit(work(words[2], next));
  while (wait(&status) > 0) failed |= status;
  return failed != 0;
}

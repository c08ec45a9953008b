/* A shared library that finds its data by the prefix it was compiled for. */
#include <stdio.h>
#include <string.h>

#include "cgreet.h"

static const char prefix[] = PREFIX;
static const char search_path[] = PREFIX "/bin:" PREFIX "/lib";

const char *cgreet_prefix(void) { return prefix; }

const char *cgreet_search_path(void) { return search_path; }

int cgreet_read(const char *name, char *line, int size)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/share/libcgreet/%s", cgreet_prefix(), name);
    file = fopen(path, "r");
    if (file == NULL || fgets(line, size, file) == NULL)
        return -1;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

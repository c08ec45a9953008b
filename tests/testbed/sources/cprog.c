/* A program that tells where it thinks it is installed, and what it was given. */
#include <stdio.h>

#include "cgreet.h"

int main(int argc, char **argv)
{
    char line[256];
    int i;

    printf("prefix=%s\n", PREFIX);
    printf("library prefix=%s\n", cgreet_prefix());
    printf("search path=%s\n", cgreet_search_path());
    for (i = 1; i < argc; i++)
        printf("argument %d=%s\n", i, argv[i]);
    if (cgreet_read("greeting.txt", line, sizeof line) != 0) {
        fprintf(stderr, "cprog: no greeting under %s\n", cgreet_prefix());
        return 1;
    }
    printf("greeting=%s\n", line);
    return 0;
}

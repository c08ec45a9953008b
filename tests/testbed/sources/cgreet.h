/* What libcgreet offers. */
const char *cgreet_prefix(void);
const char *cgreet_search_path(void);
int cgreet_read(const char *name, char *line, int size);

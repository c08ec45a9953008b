/* The entry point of measured archives: a program that has done its work when it begins. */
int main(void) { return 0; }

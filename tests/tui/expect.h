/* Text compared with a file of tests/tui/expected. GENERATE=1 writes the file instead: look at the
 * difference before you keep it. */
#ifndef SUPCON_TESTS_TUI_EXPECT_H
#define SUPCON_TESTS_TUI_EXPECT_H

/* Fails the test, showing where the texts part, when they differ. */
void expect_file(const char *name, const char *text);

#endif

/* A test is a function of CHECKs; the program's exit status says whether all held. */
#ifndef CSVQ_CHECK_H
#define CSVQ_CHECK_H

#include <stdio.h>
#include <string.h>

extern int checks, failures;

#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)
#define CHECK_TEXT(got, wanted) check_text((got), (wanted), __FILE__, __LINE__)

void check(int held, const char *text, const char *file, int line);
void check_text(const char *got, const char *wanted, const char *file, int line);

void test_csv(void);
void test_query(void);
void test_render(void);

#endif

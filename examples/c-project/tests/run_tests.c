#include "check.h"

int checks, failures;

void check(int held, const char *text, const char *file, int line)
{
    checks++;
    if (!held) {
        failures++;
        fprintf(stderr, "%s:%d: error: %s\n", file, line, text);
    }
}

void check_text(const char *got, const char *wanted, const char *file, int line)
{
    checks++;
    if (strcmp(got, wanted) != 0) {
        failures++;
        fprintf(stderr, "%s:%d: error: got `%s`, wanted `%s`\n", file, line, got, wanted);
    }
}

int main(void)
{
    test_csv();
    test_query();
    test_render();
    printf("%d checks, %d failures\n", checks, failures);
    return failures > 0;
}

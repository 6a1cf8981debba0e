/* csvq: selects and shows parts of CSV files. */
#include "buffer.h"
#include "csv.h"
#include "filter.h"
#include "render.h"
#include "version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: csvq [-s COLUMNS] [-w CONDITION]... [-o text|json|csv] [FILE]\n"
    "\n"
    "  -s name,mass      these columns, in this order\n"
    "  -w 'mass>=5.9'    rows that meet the condition: = != < <= > >=\n"
    "  -o json           how to write: text (default), json, csv\n"
    "  -V                the version\n";

static int read_all(FILE *file, struct buffer *out)
{
    char chunk[65536];
    size_t count;
    while ((count = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_bytes(out, chunk, count);
    return ferror(file) ? -1 : 0;
}

static int load(const char *path, struct buffer *text)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file == NULL || read_all(file, text) < 0) {
        fprintf(stderr, "csvq: %s: %s\n", path, strerror(errno));
        if (file != NULL && file != stdin)
            fclose(file);
        return -1;
    }
    if (file != stdin)
        fclose(file);
    buffer_text(text, "");
    return 0;
}

struct arguments {
    const char *path, *columns, *format;
    struct vector conditions;
};

/* 0 to go on, else what to exit with, plus 1. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "-V") == 0) {
            puts("csvq " CSVQ_VERSION);
            return 1;
        }
        if (word[0] != '-' || word[1] == '\0') {
            a->path = word;
        } else if (strchr("swo", word[1]) != NULL && word[2] == '\0' && i + 1 < argc) {
            const char *value = argv[++i];
            if (word[1] == 's')
                a->columns = value;
            else if (word[1] == 'o')
                a->format = value;
            else
                vector_push(&a->conditions, (void *)value);
        } else {
            fputs(usage, stderr);
            return 3;
        }
    }
    return 0;
}

static int query(const struct arguments *a, struct table *t)
{
    for (size_t i = 0; i < a->conditions.count; i++) {
        const char *condition = a->conditions.items[i];
        switch (filter_table(t, condition)) {
        case FILTER_OK:
            break;
        case FILTER_SYNTAX:
            fprintf(stderr, "csvq: `%s` is no condition\n", condition);
            return -1;
        case FILTER_COLUMN:
            fprintf(stderr, "csvq: `%s` names no column\n", condition);
            return -1;
        }
    }
    char *missing = a->columns != NULL ? table_select(t, a->columns) : NULL;
    if (missing != NULL) {
        fprintf(stderr, "csvq: there is no column `%s`\n", missing);
        free(missing);
        return -1;
    }
    return 0;
}

static int show(const char *format, const struct table *t)
{
    struct buffer out;
    buffer_init(&out);
    if (strcmp(format, "json") == 0)
        render_json(t, &out);
    else if (strcmp(format, "csv") == 0)
        csv_write(t, &out);
    else if (strcmp(format, "text") == 0)
        render_text(t, &out);
    else {
        fprintf(stderr, "csvq: there is no format `%s`\n", format);
        return -1;
    }
    fwrite(out.text, 1, out.length, stdout);
    buffer_free(&out);
    return fflush(stdout) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct arguments a = {.path = "-", .format = "text"};
    struct buffer text;
    struct table t;
    int status;

    vector_init(&a.conditions);
    buffer_init(&text);
    table_init(&t);
    if ((status = parse_arguments(argc, argv, &a)) > 0) {
        status -= 1;
    } else if (load(a.path, &text) < 0) {
        status = 2;
    } else {
        size_t line = csv_parse(&t, text.text);
        if (line > 0)
            fprintf(stderr, "csvq: %s:%zu: a quote that is never closed\n", a.path, line);
        status = line > 0 || query(&a, &t) < 0 || show(a.format, &t) < 0 ? 2 : 0;
    }
    table_free(&t);
    buffer_free(&text);
    vector_free(&a.conditions, NULL);
    return status;
}

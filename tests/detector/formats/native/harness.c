/* Run the native cut over files, built with sanitizers: each file is copied into memory of its very
   size, so that a byte read beyond it is found. Arguments: files, each cut in both ways, with arrays
   that are too small, without heads, and with heads that are known from the files before, in tables of
   several sizes. Prints how many were cut. */

#include <stdio.h>
#include <stdlib.h>

#include "cut.c"

static Heads make_heads(int64_t capacity, int64_t bytes_capacity)
{
    Heads heads = {
        capacity, 2 * capacity, bytes_capacity, 1, 1, 0, 0, malloc(sizeof(Known) * capacity),
        malloc(sizeof(Head) * capacity), malloc(4 * capacity), malloc(4 * capacity),
        calloc(2 * capacity, 4), calloc(2 * capacity, 4), malloc(bytes_capacity), 0,
    };
    return heads;
}

static void free_heads(Heads *heads)
{
    free(heads->known); free(heads->head); free(heads->group_of); free(heads->stamp_of);
    free(heads->text_table); free(heads->head_table); free(heads->bytes);
}

static void forget_all(Heads *heads)
{
    Heads empty = *heads;
    empty.heads = empty.texts = 1;
    empty.bytes_end = empty.in_chunk = 0;
    forget_since(heads, &empty);
    for (int64_t i = 0; i < heads->table_size; i++)
        if (heads->text_table[i] || heads->head_table[i]) abort();
}

static void check(const Cut *cut, int64_t size)
{
    for (int64_t i = 0; i < cut->records; i++) {
        HitFields fields = cut->hit_fields[i];
        if (cut->starts[i] < 0 || cut->starts[i] + cut->sizes[i] > size
            || (int64_t)fields.caller_start + fields.caller_size > size
            || (int64_t)fields.message_start + fields.message_size > size) abort();
        if (cut->heads && (cut->order[i] < 0 || cut->order[i] >= cut->records)) abort();
    }
    for (int64_t i = 0; i < cut->group_count; i++) {
        const Head *head = cut->heads->head + cut->numbers[i];
        if (cut->numbers[i] <= 0 || cut->numbers[i] >= cut->heads->heads
            || cut->ends[i] <= (i ? cut->ends[i - 1] : 0) || cut->firsts[i] > cut->lasts[i]) abort();
        for (int part = 0; part < TEXTS; part++)
            if (head->parts[part] < 0 || head->parts[part] >= cut->heads->texts) abort();
    }
}

static int64_t cut_once(
    const uint8_t *data, int64_t size, int lines, int64_t capacity, Heads *heads)
{
    Cut cut = {
        capacity, malloc(8 * capacity), malloc(8 * capacity), malloc(8 * capacity),
        malloc(4 * capacity), malloc(4 * capacity), malloc(4 * capacity), malloc(4 * capacity),
        malloc(8 * capacity), malloc(8 * capacity), malloc(sizeof(HitFields) * capacity), heads,
        0, 0, 0, 0, 0,
    };
    int64_t texts = heads ? heads->texts : 0, known = heads ? heads->heads : 0;
    int64_t count = trailhound_cut_records(data, size, lines, &cut);
    if (count >= 0) check(&cut, size);
    else if (heads && (heads->texts != texts || heads->heads != known)) abort();
    if (heads && (heads->in_chunk || count == FULL)) forget_all(heads);
    free(cut.starts); free(cut.sizes); free(cut.times); free(cut.groups); free(cut.order);
    free(cut.ends); free(cut.numbers); free(cut.firsts); free(cut.lasts); free(cut.hit_fields);
    return count;
}

int main(int count, char **paths)
{
    long done = 0;
    Heads large = make_heads(1 << 12, 1 << 16), little = make_heads(16, 64);
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) return 2;
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        rewind(file);
        uint8_t *data = malloc(size ? size : 1);
        if (fread(data, 1, size, file) != (size_t)size) return 2;
        fclose(file);
        for (int lines = 0; lines < 2; lines++) {
            done += cut_once(data, size, lines, size / 2 + 1, &large) >= 0;
            cut_once(data, size, lines, size / 2 + 1, &little);
            cut_once(data, size, lines, size / 2 + 1, 0);
            cut_once(data, size, lines, 1, &large);
        }
        free(data);
    }
    free_heads(&large);
    free_heads(&little);
    printf("%ld\n", done);
    return 0;
}

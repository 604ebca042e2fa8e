#include "pure/suggest.h"
#include <stdbool.h>
#include <string.h>

#define WORD_MAX  32
#define SLIPS_MAX 2

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX) return WORD_MAX;
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++) row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *rpctl_suggest(const char *word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_distance = SLIPS_MAX + 1;
    bool tie = false;
    for (size_t i = 0; i < count; i++) {
        size_t slips = distance(word, candidates[i]);
        if (slips >= strlen(word) || slips > best_distance) continue;
        tie = slips == best_distance;
        best_distance = slips;
        best = candidates[i];
    }
    return tie || best_distance > SLIPS_MAX ? NULL : best;
}

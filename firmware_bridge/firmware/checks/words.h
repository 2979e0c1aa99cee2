/* Lines of words, for the programs that are driven by text. */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 512
#define MOST_LINE 65536

typedef struct {
    int size;
    char *word[MOST_WORDS];
} line;

/* Read one line that is not empty; false at the end. The words live until the next one. */
static inline bool read_line(line *l) {
    static char text_of[MOST_LINE];
    l->size = 0;
    while (l->size == 0) {
        if (fgets(text_of, sizeof text_of, stdin) == NULL) {
            return false;
        }
        for (char *word = strtok(text_of, " \n"); word != NULL; word = strtok(NULL, " \n")) {
            l->word[l->size] = word;
            l->size += l->size + 1 < MOST_WORDS ? 1 : 0;
        }
    }
    return true;
}

static inline bool is(const line *l, const char *what) {
    return strcmp(l->word[0], what) == 0;
}

static inline void print_hex(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        (void)printf("%02x", bytes[i]);
    }
    (void)putchar('\n');
}

static inline uint32_t number(const line *l, int i) {
    return i < l->size ? (uint32_t)strtoul(l->word[i], NULL, 10) : 0u;
}

static inline uint8_t byte(const line *l, int i) {
    return (uint8_t)number(l, i);
}

/* Decode a word in place, - for nothing: hexadecimal is longer than what it stands for. */
static inline size_t raw(const line *l, int i) {
    size_t size = 0;
    const char *hex = i < l->size ? l->word[i] : "-";
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        const char pair[3] = {hex[0], hex[1], '\0'};
        ((uint8_t *)l->word[i])[size++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

#endif

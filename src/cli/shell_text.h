/* A shell's text, made ready for launcher_each_command: what is no command of its own is taken out. */
#ifndef HEAPLOG_CLI_SHELL_TEXT_H
#define HEAPLOG_CLI_SHELL_TEXT_H

/* In place, and never longer than before: without comments and here-documents, with continued lines in one, and with a '$'
 * in the place of each "$(...)", "`...`" and "<(...)": what those run prints into a word or a file, and is not the run that
 * is meant. "$(which nx)" becomes nx. What is not closed reaches to the end; a here-document whose last line is missing is
 * none. Pure. */
void shell_text_clean(char *text);

#endif

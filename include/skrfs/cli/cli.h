/* The verbs of the program `skrfs`. */
#ifndef SKRFS_CLI_CLI_H
#define SKRFS_CLI_CLI_H

/* Runs the verb that argv names and returns the exit status (skrfs(8), EXIT STATUS). */
int skrfs_cli_main(int argc, char **argv);

#endif

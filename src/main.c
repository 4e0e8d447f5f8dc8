#include <skrfs/cli/cli.h>

int main(int argc, char **argv) {
    return skrfs_cli_main(argc, argv);
}

# Files of tests/unit/.

"""Runs Debian's wapiti 3.0.4 with the arguments given.

Its --exclude makes a regular expression with flags at the end, which Python 3.11 refuses; here it makes one that is taken.
"""

import fnmatch
import re
import sys

from wapitiCore.main import wapiti
from wapitiCore.net import crawler

crawler.wildcard_translate = lambda pattern: re.compile(fnmatch.translate(pattern))

if __name__ == "__main__":
    sys.exit(wapiti.wapiti_main())

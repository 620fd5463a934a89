"""Where data and pre-trained models come from: fetched by name, verified, cached; never part of this project.

``fetch("ml-100k")`` gives a folder. The cache is the platform's user cache folder, or what
``RECSYS_COURSE_CACHE`` names; an asset is one folder in it, complete or not there at all.
"""

from recsys_course.assets.integrity import AssetError
from recsys_course.assets.records import ASSETS, Archive, Asset, Wheel
from recsys_course.assets.store import Listing, bundle, cache_dir, fetch, list_assets, verify

__all__ = [
    "ASSETS",
    "Archive",
    "Asset",
    "AssetError",
    "Listing",
    "Wheel",
    "bundle",
    "cache_dir",
    "fetch",
    "list_assets",
    "verify",
]

#include "object/open_store.h"

#include <cstdlib>

#include "object/dir/dir_store.h"
#include "object/object_key.h"
#include "object/s3/s3_store.h"

namespace topicfs {
namespace {

std::string first_set(std::string chosen, std::initializer_list<const char*> variables) {
  for (const char* name : variables) {
    const char* value = std::getenv(name);
    if (chosen.empty() && value) chosen = value;
  }
  return chosen;
}

bool is_bucket_name(std::string_view name) {
  if (name.size() < 3 || name.size() > 63 || name.front() == '.' || name.front() == '-') return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
         std::string_view::npos;
}

Result<s3::S3Config> configure_s3(const std::string& url, const S3Options& options) {
  s3::S3Config config;
  std::string rest = url.substr(5);
  size_t slash = std::min(rest.find('/'), rest.size());
  config.bucket = rest.substr(0, slash);
  if (!is_bucket_name(config.bucket))
    return fail(Errc::kInvalidArgument, "--store " + url + ": \"" + config.bucket + "\" is no name of a bucket");
  config.prefix = rest.substr(std::min(slash + 1, rest.size()));
  if (config.prefix.ends_with('/')) config.prefix.pop_back();
  if (!config.prefix.empty()) TRY(check_object_key(config.prefix));
  config.region = first_set(options.region, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (config.region.empty()) config.region = "us-east-1";
  std::string endpoint = options.endpoint;
  if (endpoint.empty()) endpoint = "https://s3." + config.region + ".amazonaws.com";
  TRY_ASSIGN(config.endpoint, s3::parse_endpoint(endpoint));
  // A certificate for *.s3.amazonaws.com does not cover a bucket with dots.
  bool automatic = !options.endpoint.empty() || config.bucket.find('.') != std::string::npos;
  config.path_style = options.path_style == Choice::automatic ? automatic : options.path_style == Choice::yes;
  TRY_ASSIGN(config.credentials, s3::credentials_from_environment());
  return config;
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_store(const std::string& url, const S3Options& options, Clock& clock) {
  if (url.starts_with("file:")) {
    std::string directory = url.substr(5);
    if (directory.starts_with("//")) directory.erase(0, 2);  // file:///DIR
    if (directory.empty()) return fail(Errc::kInvalidArgument, "--store file: names no directory");
    TRY_ASSIGN(auto store, DirStore::open(std::move(directory)));
    return std::unique_ptr<ObjectStore>(std::move(store));
  }
  if (url.starts_with("s3://")) {
    TRY_ASSIGN(s3::S3Config config, configure_s3(url, options));
    return std::unique_ptr<ObjectStore>(std::make_unique<s3::S3Store>(std::move(config), clock));
  }
  return fail(Errc::kInvalidArgument, "--store " + url + ": write file:DIR or s3://BUCKET[/PREFIX]");
}

}  // namespace topicfs

// SPDX-License-Identifier: Apache-2.0
// Captures of every supported link type, written here byte by byte, and files that are none.
#include "capture/capture.h"

#include <gtest/gtest.h>

#include "frames/capture_file.h"
#include "frames/frame.h"

namespace espial {
namespace {

using frames::Bytes;
using frames::CaptureFile;

CaptureReader open_bytes(const Bytes& bytes) {
  auto reader = frames::open_capture(bytes);
  EXPECT_TRUE(reader.ok()) << reader.error().message;
  return std::move(reader).value();
}

Bytes copy(const CapturedFrame& frame) { return {frame.bytes.begin(), frame.bytes.end()}; }

const Bytes kIp =
    (frames::Ipv4{.src = "10.45.0.12", .dst = "10.45.0.11"} / frames::Esp{} / frames::Payload{40})
        .bytes();

TEST(Capture, EthernetInBothFormatsAndByteOrders) {
  const Bytes frame = (frames::Eth{} / frames::Raw{kIp}).bytes();
  for (const auto format : {CaptureFile::Format::kPcap, CaptureFile::Format::kPcapSwapped,
                            CaptureFile::Format::kPcapNano, CaptureFile::Format::kPcapng}) {
    CaptureFile file(format, 1);
    file.add(frame);
    file.add(frame, 60);
    auto reader = open_bytes(file.bytes());
    auto first = reader.next();
    ASSERT_TRUE(first.ok() && *first);
    EXPECT_EQ(copy(**first), frame);
    EXPECT_EQ((*first)->link, LinkKind::kEthernet);
    EXPECT_FALSE((*first)->cut());
    EXPECT_EQ((*first)->time, std::chrono::seconds(CaptureFile::kSeconds) +
                                  std::chrono::microseconds(CaptureFile::kMicroseconds));
    auto second = reader.next();
    ASSERT_TRUE(second.ok() && *second);
    EXPECT_EQ((*second)->bytes.size(), 60U);
    EXPECT_EQ((*second)->original_length, frame.size());
    EXPECT_TRUE((*second)->cut());
    auto end = reader.next();
    ASSERT_TRUE(end.ok());
    EXPECT_FALSE(*end);
  }
}

TEST(Capture, RawIp) {
  for (const std::uint32_t link : {12U, 101U, 228U, 229U}) {
    CaptureFile file(CaptureFile::Format::kPcap, link);
    file.add(kIp);
    auto reader = open_bytes(file.bytes());
    auto frame = reader.next();
    ASSERT_TRUE(frame.ok() && *frame);
    EXPECT_EQ((*frame)->link, LinkKind::kRawIp) << link;
    EXPECT_EQ(copy(**frame), kIp);
  }
}

Bytes cooked1(std::uint8_t packet_type, std::uint16_t protocol, const Bytes& payload) {
  Bytes b = {0, packet_type, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0};
  b.push_back(static_cast<std::uint8_t>(protocol >> 8));
  b.push_back(static_cast<std::uint8_t>(protocol & 0xff));
  b.insert(b.end(), payload.begin(), payload.end());
  return b;
}

Bytes cooked2(std::uint8_t packet_type, std::uint16_t protocol, const Bytes& payload) {
  Bytes b = {static_cast<std::uint8_t>(protocol >> 8),
             static_cast<std::uint8_t>(protocol & 0xff),
             0,
             0,
             0,
             0,
             0,
             7,
             0,
             1,
             packet_type,
             6,
             2,
             0,
             0,
             0,
             0,
             1,
             0,
             0};
  b.insert(b.end(), payload.begin(), payload.end());
  return b;
}

TEST(Capture, CookedBecomesEthernet) {
  for (const bool second : {false, true}) {
    const auto cooked = second ? cooked2 : cooked1;
    CaptureFile file(CaptureFile::Format::kPcap, second ? 276 : 113);
    file.add(cooked(0, 0x0800, kIp));
    file.add(cooked(2, 0x0806, Bytes(28)));
    file.add(cooked(4, 0x8100, {0, 100, 8, 0, 0x45}));
    file.add(cooked(0, 0x0800, kIp), 40);
    file.add(cooked(0, 0x0800, kIp), 9);
    auto reader = open_bytes(file.bytes());

    auto frame = reader.next();
    ASSERT_TRUE(frame.ok() && *frame);
    EXPECT_EQ((*frame)->link, LinkKind::kEthernet);
    EXPECT_EQ((*frame)->interface, second ? 7 : 0);
    EXPECT_EQ((*frame)->bytes[0] & 1, 0);
    EXPECT_EQ((*frame)->original_length, 14 + kIp.size());
    Bytes expected = {8, 0};
    expected.insert(expected.end(), kIp.begin(), kIp.end());
    EXPECT_EQ(Bytes((*frame)->bytes.begin() + 12, (*frame)->bytes.end()), expected);

    frame = reader.next();
    ASSERT_TRUE(frame.ok() && *frame);
    EXPECT_EQ((*frame)->bytes[0] & 1, 1) << "sent to a group";

    frame = reader.next();
    ASSERT_TRUE(frame.ok() && *frame);
    EXPECT_EQ(Bytes((*frame)->bytes.begin() + 12, (*frame)->bytes.end()),
              (Bytes{0x81, 0, 0, 100, 8, 0, 0x45}));

    frame = reader.next();
    ASSERT_TRUE(frame.ok() && *frame);
    EXPECT_TRUE((*frame)->cut());
    EXPECT_EQ((*frame)->original_length, 14 + kIp.size());

    frame = reader.next();
    ASSERT_TRUE(frame.ok() && *frame);
    EXPECT_TRUE((*frame)->bytes.empty());
  }
}

TEST(Capture, LoopbackInEitherByteOrder) {
  for (const Bytes& head : {Bytes{2, 0, 0, 0}, Bytes{0, 0, 0, 2}, Bytes{30, 0, 0, 0}}) {
    CaptureFile file(CaptureFile::Format::kPcap, 0);
    Bytes frame = head;
    frame.insert(frame.end(), kIp.begin(), kIp.end());
    file.add(frame);
    auto reader = open_bytes(file.bytes());
    auto read = reader.next();
    ASSERT_TRUE(read.ok() && *read);
    EXPECT_EQ((*read)->link, LinkKind::kRawIp);
    EXPECT_EQ(copy(**read), kIp);
  }
}

TEST(Capture, NamesAnUnknownLinkType) {
  auto reader = frames::open_capture(CaptureFile(CaptureFile::Format::kPcap, 105).bytes());
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().failure, Failure::kUsage);
  EXPECT_NE(reader.error().message.find("link type 105 (IEEE802_11): not supported"),
            std::string::npos)
      << reader.error().message;
}

TEST(Capture, RefusesWhatIsNoCapture) {
  for (const Bytes& bytes : {Bytes{0}, Bytes(100, 0x41), Bytes{0xd4, 0xc3, 0xb2, 0xa1}}) {
    auto reader = frames::open_capture(bytes);
    ASSERT_FALSE(reader.ok());
    EXPECT_EQ(reader.error().failure, Failure::kUsage);
    EXPECT_EQ(reader.error().message.find('\n'), std::string::npos);
  }
}

TEST(Capture, SaysWhichFrameOfADamagedFileFailed) {
  CaptureFile file(CaptureFile::Format::kPcap, 1);
  file.add(Bytes(60));
  file.add(Bytes(60));
  Bytes bytes = file.bytes();
  bytes.resize(bytes.size() - 10);
  auto reader = open_bytes(bytes);
  EXPECT_TRUE(reader.next().ok());
  auto cut = reader.next();
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().failure, Failure::kUsage);
  EXPECT_NE(cut.error().message.find("read frame 2: "), std::string::npos) << cut.error().message;
}

TEST(Capture, BoundsTheLengthsThatAFileStates) {
  CaptureFile file(CaptureFile::Format::kPcap, 1);
  file.add(Bytes(60));
  Bytes bytes = file.bytes();
  for (const std::size_t at : {24U + 8U, 24U + 9U, 24U + 10U, 24U + 11U}) bytes[at] = 0xff;
  auto reader = open_bytes(bytes);
  EXPECT_FALSE(reader.next().ok());
}

TEST(Capture, MissingFile) {
  auto reader = CaptureReader::open("/nonexistent/file.pcap");
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().failure, Failure::kUnable);
  EXPECT_EQ(reader.error().message, "/nonexistent/file.pcap: open: No such file or directory");
}

TEST(Capture, Directory) {
  auto reader = CaptureReader::open("/tmp");
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().failure, Failure::kUnable) << reader.error().message;
}

}  // namespace
}  // namespace espial
